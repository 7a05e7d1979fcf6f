/** `npm run demo`: runs the script with the credentials of the mock server, against the mock server. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ACCOUNT, startMockZoom } from './mock-zoom.ts';

console.error(
  'Demo: this token is from a mock server and does not work with Zoom. Like a real one, it is copied to your clipboard.',
);
const server = await startMockZoom();
const script = spawn(process.execPath, [...process.execArgv, 's2s.ts'], {
  stdio: 'inherit',
  env: { ...process.env, ...ACCOUNT, ZOOM_HOST: server.url },
});
[process.exitCode] = await once(script, 'exit');
server.close();
