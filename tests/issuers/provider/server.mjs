// A certified OpenID provider with one person for each name that logs in; what it needs comes from the environment.
import Provider from "oidc-provider";

const { ISSUER, PORT, CLIENTS, KEYS } = process.env;

const provider = new Provider(ISSUER, {
  clients: JSON.parse(CLIENTS),
  jwks: { keys: JSON.parse(KEYS) },
  cookies: { keys: ["for tests alone"] },
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  claims: { openid: ["sub", "groups"], profile: ["name", "preferred_username"] },
  scopes: ["openid", "profile", "erp.read"],
  enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, groups: ["acme-finance"], name: `Person ${id}`, preferred_username: id }),
  }),
  features: {
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        scope: "erp.read",
        audience: resource,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
});

provider.listen(Number(PORT), "127.0.0.1");
