"""Statistics that know no product noun: arrays in, named tuples out.

wilson      the interval every weighted rate ends in
weighted    a mean from rows with known inclusion probabilities
response    the rows that were asked for and did not (yet) answer
prediction  a few true labels corrected by many predictions (three-phase GREG)
small       intervals for few labels (MOVER-Jeffreys, Clopper-Pearson)
choose      which of them when, and how many labels are missing
multiple    many comparisons at once
logistic    chances from many sparse columns and few outcomes
design      what a sample will be worth, before it is drawn
"""
