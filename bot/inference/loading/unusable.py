"""What is raised where a model can't be made of what was found."""


class UnusableFile(Exception):
    """A file is damaged, or of a kind that can't be run; what it says is for the operator."""
