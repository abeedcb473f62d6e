import { availableParallelism } from 'node:os';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
// SDKs must sign with something, and never with what a developer's machine has.
process.env.AWS_ACCESS_KEY_ID = 'test';
process.env.AWS_SECRET_ACCESS_KEY = 'test';
process.env.AWS_CONFIG_FILE = '/dev/null';
process.env.AWS_SHARED_CREDENTIALS_FILE = '/dev/null';
delete process.env.AWS_SESSION_TOKEN;
delete process.env.AWS_PROFILE;

export default {
  testEnvironment: 'node',
  // Each waits for disks for a good part of its time. More than '100%' would be taken for a number of workers.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  // A limit against hanging, not a measure: machines are shared.
  testTimeout: 30_000 * Math.max(1, Number(process.env.FUZZ_FACTOR ?? '1')),
  // Likewise: on a busy machine the end of a process that has nothing open takes longer than jest's half a second.
  workerGracefulExitTimeout: 30_000,
  globalSetup: './test/setup/keys.js',
  // Modules are loaded once for a worker, not once for a file (docs/adr/0031-quick-tests.md).
  testRunner: './test/runner/shared-modules.js',
  transform: {},
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Earlier releases that conformance:upgrade has built are packages of the same name.
  modulePathIgnorePatterns: ['<rootDir>/.local/'],
  testPathIgnorePatterns: [
    // These need kubectl or kustomize, which npm does not have: `npm run test:kubernetes`.
    '<rootDir>/test/kubernetes/',
    // Processes, kills, restarts, outages and herds, by the rule of ADR 31: `npm run test:all`.
    '\\.long\\.test\\.ts$',
  ],
};
