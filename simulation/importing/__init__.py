"""Read bars from files of many layouts, judge every row, adjust for splits and place them in sessions."""
