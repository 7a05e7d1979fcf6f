/** `npm test`: every *.test.ts in here. No shell expands that on Windows, and Node's own runner only from 21 on. */

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
const { status } = spawnSync(
  process.execPath,
  [
    ...process.execArgv,
    '--test',
    '--test-concurrency=3',
    '--test-timeout=600000',
    ...files.map((name) => join(import.meta.dirname, name)),
  ],
  { stdio: 'inherit' },
);
process.exitCode = status ?? 1;
