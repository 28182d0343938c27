import "./client.test";
import "./downsample.test";
import "./epochs.test";
import "./format.test";
import "./measures.test";
import "./rules.test";
