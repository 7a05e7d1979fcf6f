/** Runs a command in a Windows console and reports its exit code there, then holds the console until all output is read. */

import { spawn } from 'node:child_process';
import { openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

// Opens the console by name: the handles that a process in a pseudo console inherits are those of the test runner.
const [input, output] = ['\\\\.\\CONIN$', '\\\\.\\CONOUT$'].map((name) => openSync(name, 'r+'));
const [command, ...args] = process.argv.slice(2);
process.on('SIGINT', () => {}); // The console sends Ctrl-C to all of its processes.
const { pid } = spawn(command, args, { stdio: [input, output, output] }).on('exit', (code) => {
  writeSync(output, `[exit code ${code}]`);
  setInterval(() => {}, 60_000);
});
writeFileSync(join(process.env.HOME, 'pid'), String(pid));
process.chdir(import.meta.dirname); // Windows does not delete a folder that a process is in.
