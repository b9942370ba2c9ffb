"""How good forecasts are: backtests, scores, comparison of models, verification and plots of them."""
