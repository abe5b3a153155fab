// The TypeScript SDKs as their users have them: given a URL and a client's credentials, and nothing else.
//
//     CLIENT_SECRET=… node --import ./loader.mjs mcp-client.mjs 1|2 URL ISSUER CLIENT_ID SCOPE TOOL ARGUMENTS
//
// `1` is `@modelcontextprotocol/sdk`, `2` its successor `@modelcontextprotocol/client`. What came back is printed as JSON.

const [generation, url, expectedIssuer, clientId, scope, tool, given] = process.argv.slice(2);

const sdk =
  generation === '1'
    ? {
        ...(await import('@modelcontextprotocol/sdk/client/index.js')),
        ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
        ...(await import('@modelcontextprotocol/sdk/client/auth-extensions.js')),
      }
    : await import('@modelcontextprotocol/client');

// Every request that the SDK made by itself, in order.
const requests = [];
const watched = async (input, init) => {
  const answer = await fetch(input, init);
  const method = init?.method ?? 'GET';
  const authorization = new Headers(init?.headers).get('authorization');
  requests.push({
    method,
    url: String(input),
    status: answer.status,
    scheme: authorization?.split(' ')[0] ?? null,
    challenge: answer.headers.get('www-authenticate'),
  });
  return answer;
};

const credentials = { clientId, clientSecret: process.env.CLIENT_SECRET, expectedIssuer };
if (scope) {
  credentials.scope = scope;
}
const authProvider = new sdk.ClientCredentialsProvider(credentials);
const transport = new sdk.StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: watched });
const options = generation === '2' ? { versionNegotiation: { mode: 'auto' } } : {};
const client = new sdk.Client({ name: 'gatewright-tests', version: '1.0.0' }, options);

const seen = { requests };
try {
  await client.connect(transport);
  seen.revision = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
  seen.tools = (await client.listTools()).tools.map(({ name }) => name);
  if (tool) {
    seen.result = await client.callTool({ name: tool, arguments: JSON.parse(given ?? '{}') });
  }
  seen.token = authProvider.tokens()?.access_token;
} catch (error) {
  seen.error = { name: error.name, message: error.message, code: error.code };
}
process.stdout.write(`${JSON.stringify(seen)}\n`);
await client.close();
process.exit(seen.error ? 1 : 0);
