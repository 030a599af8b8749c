"""What the components of every framework have in common: configuration in, the process's shared retriever out.

A component holds where its collection is, and how to search it; never a model or a connection. So it pickles, copies
and serialises, and ten of them share one model and one open collection.
"""
