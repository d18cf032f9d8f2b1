# Aliases only: what they do stands in noxfile.py.
