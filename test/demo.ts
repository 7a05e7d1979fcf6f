/** `npm run demo`: the real script, with the stand-in's credentials, against the stand-in. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ACCOUNT, startStandIn } from './stand-in.ts';

console.error("The token is a stand-in's and opens nothing at Zoom. It goes to your clipboard, as a real one does.");
const standIn = await startStandIn();
const script = spawn(process.execPath, [...process.execArgv, 's2s.ts'], {
  stdio: 'inherit',
  env: { ...process.env, ...ACCOUNT, ZOOM_HOST: standIn.url },
});
[process.exitCode] = await once(script, 'exit');
standIn.close();
