"""The explorer of a sweep's page: a diagram of its points, and the curve behind each of them.

Its size is bounded whatever the sweep: at most `choice.MOST` points, evenly chosen from a larger
sweep, with at most `traces.MOST` steps each. Everything is within the page: the numbers as JSON,
the charting library (plot.js: Observable Plot, made by charting/make.py, with its licences), and
the script that joins them (script/). Without scripts the page shows its figures and its table.
"""
