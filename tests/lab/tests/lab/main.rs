//! The lab itself: that its parts work together as the world's do, and that nothing of it is left.

mod chart;
mod leash;
mod world;
