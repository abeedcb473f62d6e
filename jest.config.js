process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }],
  },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // These need kubectl or kustomize, which npm does not have: `npm run test:kubernetes`.
  testPathIgnorePatterns: ['<rootDir>/test/kubernetes/'],
  collectCoverageFrom: ['src/**/*.ts'],
  coverageProvider: 'v8',
};
