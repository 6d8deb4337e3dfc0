"""Text: corpora, tokens, edit masks, layouts, and the selection of items."""
