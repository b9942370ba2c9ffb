"""Studies of air pollution: sources, ozone formation, transport, effect of measures, climatology, data quality.

Each study is a pure module: it takes tables and returns results. `services/research/studies/` holds what asks for them.
"""
