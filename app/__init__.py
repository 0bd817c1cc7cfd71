"""The review app: people decide about pairs in a browser. `streamlit run app/review.py`, or `curate review`."""
