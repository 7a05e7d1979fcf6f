/** A mock of Zoom's token endpoint on loopback. It follows Zoom's documentation and the responses that users report. */

import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SelfsignedOptions as CertificateOptions } from 'selfsigned';

export const ACCOUNT = {
  ZOOM_ACCOUNT_ID: 'AbC-dEf_GhIjKlMnOpQrSt',
  ZOOM_CLIENT_ID: 'mock_zoom_client_id_42',
  ZOOM_CLIENT_SECRET: 'Mk7Zq2Wm9Xp4Rt6Yb8Nc3Vd5Hg1Jf0Ls',
};
/** The same credentials, as the text of a dotenv file. */
export const DOTENV = Object.entries(ACCOUNT)
  .map(([name, value]) => `${name}=${value}\n`)
  .join('');
const basicOf = (account: typeof ACCOUNT) => btoa(`${account.ZOOM_CLIENT_ID}:${account.ZOOM_CLIENT_SECRET}`);
export const BASIC = basicOf(ACCOUNT);
export const SCOPES = ['user:read:list_users:admin', 'meeting:write:meeting:admin', 'report:read:admin'];
/** As long as a real token. */
export const TOKEN = `eyJzdiI6IjAwMDAwMSIsImFsZyI6IkhTNTEyIn0.${'MockServerTokenData_-'.repeat(32)}.c2lnbmF0dXJl`;
export const TOKEN_RESPONSE = {
  access_token: TOKEN,
  token_type: 'bearer',
  expires_in: 3599,
  scope: SCOPES.join(' '),
  api_url: 'https://api.zoom.us',
};

export type ReceivedRequest = { method: string; path: string; headers: IncomingHttpHeaders; body: string };
/** Responds to one request; `nth` counts from 1. */
export type Handler = (response: ServerResponse, request: ReceivedRequest, nth: number) => void;

/** Sends JSON with Zoom's content type. */
export function sendJson(response: ServerResponse, status: number, body: unknown, headers: OutgoingHttpHeaders = {}) {
  const allHeaders = { 'Content-Type': 'application/json;charset=UTF-8', ...headers };
  response.writeHead(status, allHeaders).end(JSON.stringify(body));
}

/** Returns a handler that gives every request the same response. */
export function respondWith(status: number, body: unknown, headers?: OutgoingHttpHeaders): Handler {
  return (response) => sendJson(response, status, body, headers);
}

/** Returns a handler that gives a token if the request and its credentials are right, and else rejects it like Zoom. */
export const likeZoom =
  (account: typeof ACCOUNT): Handler =>
  (response, { method, path, headers, body }) => {
    const reject = (status: number, error: string, reason: string) =>
      sendJson(response, status, { reason, error }, { 'x-zm-trackingid': 'v=2.0;clid=us02;rid=WEB_0123456789abcdef' });
    const form = new URLSearchParams(body);
    if (path !== '/oauth/token') return reject(404, 'not_found', 'No such resource');
    if (method !== 'POST' || headers['content-type'] !== 'application/x-www-form-urlencoded')
      return reject(400, 'invalid_request', 'Bad Request');
    if (headers.authorization !== `Basic ${basicOf(account)}`)
      return reject(400, 'invalid_client', 'Invalid client_id or client_secret');
    if (form.get('grant_type') !== 'account_credentials')
      return reject(400, 'unsupported_grant_type', 'unsupported grant type');
    if (form.get('account_id') !== account.ZOOM_ACCOUNT_ID) return reject(400, 'invalid_request', 'Bad Request');
    return sendJson(response, 200, TOKEN_RESPONSE);
  };
export const respondLikeZoom = likeZoom(ACCOUNT);

export type { CertificateOptions };
export type Tls = { key: string; cert: string };

/** Creates a key and a certificate for a host: self-signed, and valid now, unless the options say otherwise. */
export async function createCertificate(host: string, options: CertificateOptions = {}): Promise<Tls> {
  const { generate } = await import('selfsigned'); // Load it late: this takes longer than most tests.
  const { private: key, cert } = await generate([{ name: 'commonName', value: host }], {
    ...options,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: host }] }],
  });
  return { key, cert };
}

/** Starts the mock server, over TLS if there is a certificate. Appends each request to `requests`. */
export async function startMockZoom(handler: Handler = respondLikeZoom, tls?: Tls) {
  const requests: ReceivedRequest[] = [];
  const listener: http.RequestListener = async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += chunk;
    const { method = '', url: path = '', headers } = incoming;
    const request = { method, path, headers, body };
    handler(response, request, requests.push(request));
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
