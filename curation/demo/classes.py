"""The classes of the demo's label maps: those of the label space `landscape29`, in which id and index are the same."""

from curation.label_space_files import load_builtin

CLASSES = load_builtin("landscape29").names
CLASS_ID = {name: k for k, name in enumerate(CLASSES)}
