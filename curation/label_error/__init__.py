"""Does the label map fit the photo? Class evidence learned from all the other pairs, held against the given labels."""
