"""What holds the template: `source` reads it, `resolve` evaluates it, `code` reads what the functions do, the `rules_`
modules compare, `lint` asks the linter, `faults` proves that each of them can fail. Start with `__main__`."""
