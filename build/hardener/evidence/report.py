"""stub"""
def page(summary): return "x"
