"""What people look at: words, tables, figures, pages. Made from records alone, never from the
engine.
"""
