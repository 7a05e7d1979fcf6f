/** Runs every *.test.ts here. Windows shells don't expand globs, and Node's test runner expands them only in version 21 and later. */

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
