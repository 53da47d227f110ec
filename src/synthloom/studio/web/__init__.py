"""The pages of the studio: what is shown, what may be asked, and who may ask. Needs the extra `studio`.

Nothing here computes: pages read what workers have written, and write what the user wants of them.
"""
