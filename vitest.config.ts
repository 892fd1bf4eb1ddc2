import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Two cores: one for the tests, one for the receivers and daemons that they start.
    maxWorkers: 2,
    globalSetup: ['test/build-once.ts'],
    reporters: ['default', './test/count-reporter.ts'],
  },
});
