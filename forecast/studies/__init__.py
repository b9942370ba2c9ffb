"""The cooperation's own studies: where pollution comes from, what makes ozone, and how far measurements can be trusted.

Each study is a pure module: tables in, results out. `services/cli/studies/` holds the commands.
"""
