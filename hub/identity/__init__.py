"""Who acts: principals, groups, roles, tokens, scopes and web sessions."""
