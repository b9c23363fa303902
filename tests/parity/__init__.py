"""How far our metrics agree with values that other programs gave, counted over gold files."""
