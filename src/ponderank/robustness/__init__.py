"""How steady a recipe is: under other orders, other words of the same question, other collections, and hostile documents."""
