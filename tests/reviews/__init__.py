"""Reviews: broken glass, samples, and the trust that rests on both."""
