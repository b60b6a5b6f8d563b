"""Price limits, and what reached them."""
