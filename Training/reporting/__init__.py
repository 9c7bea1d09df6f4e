"""What people look at: tables, Figure 2, plots, the HTML report."""
