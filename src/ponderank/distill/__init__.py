"""From a teacher to training rows: sample pairs, collect the teacher's thoughts, select, write rows."""
