/** Jest over the TypeScript sources; swc strips the types, `tsc -b` checks them. */

const shared = {
  extensionsToTreatAsEsm: [".ts"],
  testEnvironment: "node",
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2023", parser: { syntax: "typescript" } }, module: { type: "es6" } },
    ],
  },
  modulePathIgnorePatterns: ["<rootDir>/dist/"],
};

export default {
  // Only a hang takes as long: the tests wait for events, and these machines are shared.
  testTimeout: 60_000,
  // Most tests wait for other processes: every processor has work.
  maxWorkers: "100%",
  projects: [
    {
      ...shared,
      displayName: "unit",
      testMatch: ["<rootDir>/test/**/*.test.ts"],
      testPathIgnorePatterns: ["/node_modules/", "<rootDir>/test/conformance/"],
    },
    {
      ...shared,
      displayName: "conformance",
      testMatch: ["<rootDir>/test/conformance/**/*.test.ts"],
    },
  ],
};
