// An OpenID provider with one client, whose access tokens are JWTs for the gateway.
//
//     node provider.mjs PORT ALGORITHM KEY_ID      port 0 picks a free one; the first line printed is its URL
//
// Its key is made at each start: a start at the same port with another id rolls the keys.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [port, alg, kid] = process.argv.slice(2);
const KINDS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};
const { privateKey } = generateKeyPairSync(...KINDS[alg]);
const key = { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };

const SCOPES = ['store_v2_customers', 'store_v2_customers_read_only'];
const resource = {
  scope: SCOPES.join(' '),
  audience: 'metafield-gateway',
  accessTokenFormat: 'jwt',
  accessTokenTTL: 600,
  jwt: { sign: { alg } },
};

const client = (client_id) => ({
  client_id,
  client_secret: 'secret-of-the-test',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  id_token_signed_response_alg: alg,
  token_endpoint_auth_method: 'client_secret_post',
});

const server = createServer();
server.listen(Number(port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: [client('crm-sync'), client('stranger')],
    scopes: SCOPES,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:metafield-gateway',
        getResourceServerInfo: () => resource,
        useGrantedResource: () => true,
      },
    },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
