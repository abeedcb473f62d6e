/**
 * `npm run test:all`: the tests of `npm test`, the long ones, and every property with its whole budget. Each file runs by
 * itself, in a realm and with modules of its own.
 */
process.env.FUZZ_FACTOR ??= '1';

const { default: quick } = await import('./jest.config.js');
const { testRunner, ...others } = quick;

export default {
  ...others,
  testPathIgnorePatterns: ['<rootDir>/test/kubernetes/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }],
  },
  collectCoverageFrom: ['src/**/*.ts', 'emulators/**/*.ts'],
  coverageProvider: 'v8',
};
