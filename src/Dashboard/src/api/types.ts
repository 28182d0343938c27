// The parts of the API's answers that the dashboard shows. A figure is null where it is not a finite number.

export type Figure = number | null;

export type State = "queued" | "running" | "cancelling" | "pausing" | "paused" | "succeeded" | "failed" | "cancelled";

export interface Interval {
  low: Figure;
  high: Figure;
}

/** A spec as the API fills it in, or as the form sends it. */
export type Spec = Record<string, unknown>;

export interface JobSpec extends Spec {
  dataset: string;
  epsilon: number;
  loss: string;
  epochs: number;
  model: string;
  corruptions: boolean;
  name: string | null;
  tags: string[];
}

export interface Progress {
  epoch: number;
  epochs: number;
  step: number;
  steps: number;
  imagesPerSecond: Figure;
  secondsLeft: Figure;
}

export interface JobResult {
  testAccuracy: Figure;
  testLoss: Figure;
  testEce: Figure;
  testSignedGap: Figure;
  trainedEpochs: number;
  keptEpoch: number;
  device: string;
  threads: number;
  libtorch: string;
  weightsSha256: string;
  notes: string[];
}

export interface Job {
  id: string;
  state: State;
  reason: string | null;
  isTerminal: boolean;
  spec: JobSpec;
  targets: { entropy: Figure; trueClass: Figure; otherClass: Figure };
  progress: Progress | null;
  attempt: number;
  failures: number;
  worker: string | null;
  createdAt: string;
  finishedAt: string | null;
  result: JobResult | null;
  reproduces: string | null;
  study: string | null;
  pinned: boolean;
  advice?: Advice | null;
}

export interface Page<T> {
  items: T[];
  /** Absent or null on the last page. */
  next?: string | null;
  note?: string | null;
}

export interface Items<T> {
  items: T[];
}

export interface Epoch {
  epoch: number;
  trainLoss: Figure;
  trainAccuracy: Figure;
  validationLoss: Figure;
  validationAccuracy: Figure;
  ece: Figure;
  signedGap: Figure;
  learningRate: Figure;
  seconds: Figure;
  validationLossAfterTemperature: Figure;
}

export interface Attempt {
  attempt: number;
  worker: string;
  outcome: string | null;
  reason: string | null;
  claimedAt: string;
  endedAt: string | null;
  note: string | null;
  errorOutput: string | null;
}

export interface Bin {
  lower: number;
  upper: number;
  count: number;
  meanConfidence: Figure;
  accuracy: Figure;
  accuracyInterval: Interval | null;
}

export interface Estimated {
  value: Figure;
  interval?: Interval | null;
  chance?: { limit: Figure } | null;
}

export interface Assessment {
  verdict: { name: string; pValue: Figure; sentence: string; kernel: { pValue: Figure } | null } | null;
  accuracy: Estimated;
  nll: Estimated;
  brier: Estimated;
  signedGap: Estimated;
  ece: Estimated;
  mce: Estimated;
  adaptiveEce: Estimated;
  classwiseEce: Estimated;
  smoothEce: Estimated;
  reliability: Bin[];
}

/** The ECE by the rules of several tools. */
export interface Conventions {
  values: { binning: string; bins: number; ece: Figure }[];
  why: string;
}

export interface Calibration {
  count: number;
  conventions: Conventions;
  temperatureFit: { temperature: Figure; note: string | null };
  before: Assessment;
  after: Assessment;
  /** Null unless asked for. */
  measures: Measures | null;
}

/** What `?measures=true` adds to a calibration report. */
export interface Measures {
  refinement: { nll: Figure; value: Figure; calibration: Figure; calibrationInterval: Interval | null };
  maxProbability: Selective;
  maxLogitNorm: { power: number; powerIsFitted: boolean; selective: Selective } | null;
  before: Measured;
  after: Measured;
  conformal: Conformal | null;
  calibrators: Calibrators | null;
  /** Why a measure is null, by its name. */
  missing: Record<string, string>;
}

export interface Selective {
  aurc: Figure;
  augrc: Figure;
  risks: { coverage: number; risk: Figure; riskInterval: Interval }[];
}

/** The measures of the probabilities at one temperature. */
export interface Measured {
  l2: { value: Figure; interval: Interval; bins: number } | null;
  corp: Corp;
  kernel: { value: Figure; pValue: Figure; images: number } | null;
}

/** The reliability curve without bins. What needs resamples is null without them. */
export interface Corp {
  score: Figure;
  miscalibration: Figure;
  chance: { limit: Figure } | null;
  discrimination: Figure;
  uncertainty: Figure;
  /** Steps of the curve, ascending. */
  curve: { from: number; to: number; count: number; probability: number }[];
  /** Where the curve of a calibrated model would lie, at some of the confidences, ascending. */
  band: { confidence: number; low: number; high: number }[] | null;
}

export interface Conformal {
  target: number;
  part: "validation" | "testHalf";
  calibrationImages: number;
  judgedImages: number;
  temperature: Figure;
  before: ConformalSets;
  after: ConformalSets;
}

export type ConformalSets = Record<"split" | "aps" | "raps", { meanSize: Figure; coverage: Figure; coverageInterval: Interval }>;

export interface Calibrators {
  chosen: string;
  part: "validation" | "test";
  images: number;
  folds: number;
  /** From the simplest on. */
  scores: CalibratorScore[];
}

/** What is null has its reason in `note`. */
export interface CalibratorScore {
  name: string;
  nll: Figure;
  nllError: Figure;
  difference: Figure;
  differenceError: Figure;
  note: string | null;
}

export interface Evaluation {
  id: string;
  name: string | null;
  outputs: string;
  count: number;
  classes: number;
  validationCount: number | null;
  sha256: string;
  scores: {
    temperature: Figure;
    verdict: string;
    verdictAfterTemperature: string;
    accuracy: Figure;
    nll: Figure;
    ece: Figure;
    signedGap: Figure;
    eceAfterTemperature: Figure;
  };
  notes: string[];
  createdAt: string;
}

export interface Predictions {
  temperature: number;
  classNames: string[] | null;
  items: { label: number; probabilities: number[] }[];
}

export interface ClassCount {
  name: string;
  train: number;
  validation: number;
  test: number;
}

/** A data set. What only uploaded ones have is null for those that every installation has. */
export interface Dataset {
  name: string;
  version: number | null;
  classes: number;
  channels: number;
  height: number;
  width: number;
  trainImages: number;
  validationImages: number | null;
  testImages: number;
  about: string;
  sha256: string | null;
  createdAt: string | null;
  /** Null in a list too. */
  counts: ClassCount[] | null;
  note: string | null;
  samples: string | null;
  mean: string | null;
}

export interface Reproduction {
  original: string;
  sentence: string;
}

export interface Advice {
  earlierJobs: number;
  accuracy: Figure;
  expectedSignedGap: Figure;
  warnings: string[];
}

export interface Arm {
  epsilon: number;
  smoothing: string;
  learningRate: number;
  model: string;
  labelNoise: number;
  /** What comes from the study's grid. */
  settings: Record<string, unknown>;
}

export interface Mean {
  mean: Figure;
  interval: Interval | null;
}

export interface ArmRow extends Arm {
  droppedAtSeeds: number | null;
  jobs: number;
  seeds: number;
  accuracy: Mean | null;
  nll: Mean | null;
  brier: Mean | null;
  ece: Mean | null;
  eceAfterTemperature: Mean | null;
  nllAfterTemperature: Mean | null;
  signedGap: Mean | null;
  aurc: Mean | null;
  augrc: Mean | null;
  debiasedEce: Mean | null;
  smoothEce: Mean | null;
}

export interface StudyProgress {
  jobs: number;
  queued: number;
  running: number;
  paused: number;
  succeeded: number;
  failed: number;
  cancelled: number;
  dropped: number;
  secondsLeft: Figure;
}

export interface StudySpec extends Spec {
  job: JobSpec;
  criterion: string;
  name: string | null;
}

export interface Study {
  id: string;
  state: State;
  isTerminal: boolean;
  spec: StudySpec;
  progress: StudyProgress;
  rows: ArmRow[];
  createdAt: string;
  pinned: boolean;
}

export interface StudyItem {
  id: string;
  name: string | null;
  state: State;
  isTerminal: boolean;
  dataset: string;
  criterion: string;
  progress: StudyProgress;
  createdAt: string;
}

export interface Ranked {
  arm: Arm;
  meanLoss: Figure;
  isTied: boolean;
  isJudged: boolean;
  behindBest: Figure;
  interval: Interval | null;
  pValue: Figure;
  diverged: number;
}

export interface Answer {
  labelNoise: number;
  arm: Arm | null;
  temperature: Figure;
  sentence: string;
  /** What to do, in one sentence; null when no arm can be judged. */
  inShort: string | null;
  moreSeeds: number | null;
  moreSeedsNote: string | null;
  findings: string[];
  arms: Ranked[];
}

export interface Recommendation {
  isFinal: boolean;
  criterion: string;
  byLabelNoise: Answer[];
  /** Path at which the best job of the recommended arm takes images. */
  predict: string | null;
}

/** The figures of a job on corrupted test images. */
export interface Corruptions {
  clean: SplitScores;
  /** Kind by kind, each with its strengths 1 to 5. */
  rows: { kind: string; strength: number; scores: SplitScores }[];
  mean: SplitScores;
}

export type SplitScores = Record<
  | "accuracy"
  | "nll"
  | "brier"
  | "ece"
  | "signedGap"
  | "aurc"
  | "augrc"
  | "nllAfterTemperature"
  | "eceAfterTemperature"
  | "debiasedEce"
  | "smoothEce",
  Figure
>;

export interface StudyJob {
  id: string;
  arm: number;
  seed: number;
  scores: { test: SplitScores };
}

export interface StudyReport {
  study: Study;
  recommendation: Recommendation;
  jobs: StudyJob[];
  arms: { number: number; arm: Arm }[];
}

export interface Estimate {
  jobs: number;
  minutesPerJob: Figure;
  trainingMinutes: Figure;
  slots: number;
  minutes: Figure;
  note: string | null;
}

export interface Device {
  index: number;
  uuid: string;
  name: string;
  memoryTotalMiB: number | null;
  memoryUsedMiB: number | null;
  utilizationPercent: number | null;
  slots: number;
  busySlots: number;
  setAsideReason: string | null;
}

export interface Worker {
  id: string;
  name: string;
  state: "alive" | "draining" | "drained" | "suspended" | "silent";
  suspendedReason: string | null;
  device: string;
  devices: Device[];
  slots: number;
  slotsTaken: number;
  jobs: string[];
  startedAt: string;
  heartbeatAt: string;
}

export interface Session {
  required: boolean;
  signedIn: boolean;
  name: string | null;
  tenant: string | null;
  /** What the request may do, with the scopes that others include. */
  scopes: Scope[];
}

export type Scope = "read" | "submit" | "operate" | "admin";
