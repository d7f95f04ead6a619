// What the explorer of a sweep uses of Observable Plot, and nothing else: the bundle is as small.
export {
  plot,
  legend,
  rect,
  barX,
  barY,
  cell,
  dot,
  line,
  areaY,
  ruleX,
  ruleY,
  text,
  tip,
  pointer,
  gridX,
  gridY,
  axisX,
  axisY,
} from "@observablehq/plot";
export {scaleLinear} from "d3";
