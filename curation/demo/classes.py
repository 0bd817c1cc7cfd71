"""The 29 classes of the label space `landscape29`, in the order of their ids."""

CLASSES = (
    "mountain", "sky", "water", "sea", "rock", "tree", "earth", "hill", "river", "sand", "land", "building", "grass",
    "plant", "person", "boat", "waterfall", "wall", "pier", "path", "lake", "bridge", "field", "road", "railing",
    "fence", "ship", "house", "other",
)  # fmt: skip
CLASS_ID = {name: k for k, name in enumerate(CLASSES)}
