// A proxy on loopback that adds a credential, for clients that have nowhere to put one.
//
//     CREDENTIAL='X-API-Key: …' node --import ./loader.mjs proxy.mjs http://127.0.0.1:8080
//
// It prints its own address, and ends with its standard input. Bodies stream both ways. A `Host` or `Origin` that names the
// proxy names the server on the other side; every other one is passed on as it is, for the server to judge.

import { createServer, request } from 'node:http';
import { pipeline } from 'node:stream';

const target = new URL(process.argv[2]);
const [, name, value] = /^([^:]+):\s*(.+)$/.exec(process.env.CREDENTIAL);

const server = createServer((incoming, response) => {
  const headers = pairs(incoming.rawHeaders).filter(([field]) => field.toLowerCase() !== name.toLowerCase());
  headers.push([name, value]);
  const outgoing = request({
    host: target.hostname,
    port: target.port,
    method: incoming.method,
    path: incoming.url,
    headers: headers.flat(),
    setHost: false,
    agent: false,
  });
  outgoing.on('response', (answer) => {
    response.writeHead(answer.statusCode, answer.statusMessage, pairs(answer.rawHeaders).flat());
    pipeline(answer, response, () => {});
  });
  outgoing.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  // Whoever goes away is gone on the other side, too.
  response.on('close', () => outgoing.destroy());
  pipeline(incoming, outgoing, () => {});
});

const hops = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade']);

function pairs(raw) {
  const list = [];
  for (let at = 0; at < raw.length; at += 2) {
    const field = raw[at].toLowerCase();
    if (!hops.has(field)) {
      list.push([raw[at], field === 'host' || field === 'origin' ? translated(raw[at + 1]) : raw[at + 1]]);
    }
  }
  return list;
}

function translated(text) {
  const own = `127.0.0.1:${server.address().port}`;
  if (text === own) {
    return target.host;
  }
  return text === `http://${own}` ? target.origin : text;
}

server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ base: `http://127.0.0.1:${server.address().port}` })}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
