"""A test upstream that does what the scenarios of the conformance suite ask of a server, in both protocol eras.

What each tool, resource and prompt must do stands in the descriptions of the suite's own scenarios.
"""
