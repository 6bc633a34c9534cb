"""Self-contained HTML pages: about a run, about its evaluation, about several runs side by side.

All share one template, one stylesheet and one script, and load nothing from elsewhere.
"""
