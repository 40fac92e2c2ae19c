export { type EnvOptions, type OptionsFromEnvOptions, optionsFromEnv } from './observability/env.ts';
