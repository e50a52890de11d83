"""What clients see: GraphQL types, inputs, results and refusals, and no behaviour.

A plain field is an argument of its class's constructor, filled by `resolvers/`. A field made with `edge` or
`connection` (`edges.py`) needs a query and is answered by the implementation that `resolvers/` registers for it.
"""
