/**
 * Runs a command in a Windows console. First waits for the file that $S2S_GO names, which terminal.ts creates when output
 * from the console reaches it. Prints the exit code to the console, then keeps the console open until all output is read.
 */

import { spawn } from 'node:child_process';
import { existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// Open the console by name: the handles that a process in a pseudo console inherits are those of the test runner.
const [input, output] = ['\\\\.\\CONIN$', '\\\\.\\CONOUT$'].map((name) => openSync(name, 'r+'));
const [command, ...args] = process.argv.slice(2);
writeSync(output, ' \r');
while (!existsSync(process.env.S2S_GO)) await sleep(20);
delete process.env.S2S_GO;
process.on('SIGINT', () => {}); // The console sends Ctrl-C to all of its processes.
const { pid } = spawn(command, args, { stdio: [input, output, output] }).on('exit', (code) => {
  writeSync(output, `[exit code ${code}]`);
  setInterval(() => {}, 60_000);
});
writeFileSync(join(process.env.HOME, 'pid'), String(pid));
process.chdir(import.meta.dirname); // Windows does not delete a folder that a process is in.
