/** A stand-in for Zoom's token endpoint on loopback: what its documentation promises, and what its users met. */

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';

export const ACCOUNT = {
  ZOOM_ACCOUNT_ID: 'AbC-dEf_GhIjKlMnOpQrSt',
  ZOOM_CLIENT_ID: 'stand_in_client_id_042',
  ZOOM_CLIENT_SECRET: 'StandInClientSecret0123456789abc',
};
/** The same as the text of a dotenv file. */
export const DOTENV = Object.entries(ACCOUNT)
  .map(([name, value]) => `${name}=${value}\n`)
  .join('');
/** What the Authorization header has to hold for the stand-in's app. */
export const BASIC = Buffer.from(`${ACCOUNT.ZOOM_CLIENT_ID}:${ACCOUNT.ZOOM_CLIENT_SECRET}`).toString('base64');
export const SCOPES = ['user:read:list_users:admin', 'meeting:write:meeting:admin', 'report:read:admin'];
/** As long as Zoom's own tokens are. */
export const TOKEN = `eyJzdiI6IjAwMDAwMSIsImFsZyI6IkhTNTEyIn0.${'StandInTokenPayload_-'.repeat(32)}.c2lnbmF0dXJl`;
export const GRANTED = {
  access_token: TOKEN,
  token_type: 'bearer',
  expires_in: 3599,
  scope: SCOPES.join(' '),
  api_url: 'https://api.zoom.us',
};

export type Received = { method: string; path: string; headers: http.IncomingHttpHeaders; body: string };
/** Answers one request; `nth` counts from 1. */
export type Handler = (response: http.ServerResponse, received: Received, nth: number) => void;

/** Answers with JSON, as Zoom does. */
export function json(
  response: http.ServerResponse,
  status: number,
  body: unknown,
  headers: http.OutgoingHttpHeaders = {},
) {
  response
    .writeHead(status, { 'Content-Type': 'application/json;charset=UTF-8', ...headers })
    .end(JSON.stringify(body));
}

/** Zoom's own behaviour: a token for the stand-in's app, Zoom's refusals for everything else. */
export const zoom: Handler = (response, { method, path, headers, body }) => {
  const refuse = (status: number, error: string, reason: string) =>
    json(response, status, { reason, error }, { 'x-zm-trackingid': 'v=2.0;clid=us02;rid=WEB_0123456789abcdef' });
  const form = new URLSearchParams(body);
  if (path !== '/oauth/token') return refuse(404, 'not_found', 'No such resource');
  if (method !== 'POST' || headers['content-type'] !== 'application/x-www-form-urlencoded')
    return refuse(400, 'invalid_request', 'Bad Request');
  if (headers.authorization !== `Basic ${BASIC}`)
    return refuse(400, 'invalid_client', 'Invalid client_id or client_secret');
  if (form.get('grant_type') !== 'account_credentials')
    return refuse(400, 'unsupported_grant_type', 'unsupported grant type');
  if (form.get('account_id') !== ACCOUNT.ZOOM_ACCOUNT_ID) return refuse(400, 'invalid_request', 'Bad Request');
  return json(response, 200, GRANTED);
};

export type Tls = { key: string; cert: string };

/** A new key and a certificate for a host, which is its own authority. */
export async function certificate(host: string): Promise<Tls> {
  const { generate } = await import('selfsigned'); // It takes longer to load than most tests take.
  const { private: key, cert } = await generate([{ name: 'commonName', value: host }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: host }] }],
  });
  return { key, cert };
}

/** Starts the stand-in: over TLS where there is a key. `requests` grows as they come, bodies included. */
export async function startStandIn(handler: Handler = zoom, tls?: Tls) {
  const requests: Received[] = [];
  const listener: http.RequestListener = async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url: path = '', headers } = request;
    const received = { method, path, headers, body };
    handler(response, received, requests.push(received));
  };
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    requests,
    server,
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
