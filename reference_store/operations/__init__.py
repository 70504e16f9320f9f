"""What is done to a store from outside its daily work: mending, pruning, moving and looking after it."""
