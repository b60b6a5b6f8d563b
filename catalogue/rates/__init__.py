"""Exchange rates: the mean of the ECB's reference rates over a period, or an operator's own rate."""
