"""Numbers about recorded curves: growth rate, horizon, verdict, the textbook's prediction."""
