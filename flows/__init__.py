"""What a person starts: one file per noun, each a table of contents."""
