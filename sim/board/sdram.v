// SDRAM of 16 bits: behaviour and the rules of its commands, for testbenches.
//
// Commands are taken at the rising edge of `clk`. A word that is read shows on `dq_out` while
// `dq_clk` is high, behind its rising edge; else its complement does, so that a word that is taken
// too early or too late is a wrong one. `violations` counts broken rules, `last_violation` says
// which was the last: see the codes below.
module sdram #(
  parameter ROW_BITS = 13,
  parameter COLUMN_BITS = 9,
  parameter BANK_BITS = 2,
  parameter CAS_LATENCY = 3,
  parameter STAGE = 2,      // rising edges of `clk` from a read's to the `dq_clk` that shows its word
  parameter ACTIVATE = 1,   // least cycles of `clk`: activation to read or write
  parameter PRECHARGE = 1,  // ... precharge to activation or refresh
  parameter ROW = 1,        // ... activation to precharge
  parameter REFRESH = 1,    // ... refresh to anything
  parameter WRITE = 1,      // ... last word of a write to precharge
  parameter START = 1,      // ... to the first command
  parameter INTERVAL = 1,   // most cycles for the mean refresh
  parameter STORED_BITS = 20  // words that are kept; the addresses above repeat
) (
  input clk,
  input restart,  // the time begins anew: the controller is reset, and refreshes nothing meanwhile
  input dq_clk,
  input [2:0] command,
  input [ROW_BITS-1:0] address,
  input [BANK_BITS-1:0] bank,
  input [1:0] mask,
  input [15:0] dq_in,
  input dq_in_drive,
  output [15:0] dq_out,
  output reg [31:0] violations,
  output reg [3:0] last_violation
);
  localparam BANKS = 1 << BANK_BITS;
  localparam MODE = 3'b000, REFRESH_ALL = 3'b001, CLOSE = 3'b010, OPEN = 3'b011;
  localparam WRITE_WORDS = 3'b100, READ_WORDS = 3'b101, NOTHING = 3'b111;
  localparam TOO_EARLY = 1, NOT_OPEN = 2, STILL_OPEN = 3, NO_MODE = 4, WRONG_MODE = 5, CLASH = 6,
    LATE_REFRESH = 7, NOT_DRIVEN = 8, UNKNOWN = 9;

  reg [15:0] words [0:(1 << STORED_BITS) - 1];
  reg [BANKS-1:0] is_open;
  reg [ROW_BITS-1:0] row [0:BANKS-1];
  reg [31:0] now, opened [0:BANKS-1], wrote [0:BANKS-1], closed, refreshed, refreshes;
  reg mode_set;
  reg [3:0] burst;

  // A burst goes on for some words; the next command may cut it off.
  reg [3:0] left;
  reg writing;
  reg [BANK_BITS-1:0] burst_bank;
  reg [COLUMN_BITS-1:0] column;

  reg [15:0] pipe [0:7];
  reg [7:0] pipe_valid;
  reg [15:0] shown;
  integer n;

  function [STORED_BITS-1:0] place(input [BANK_BITS-1:0] b, input [COLUMN_BITS-1:0] c);
    reg [ROW_BITS+BANK_BITS+COLUMN_BITS-1:0] whole;
    begin
      whole = {row[b], b, c};
      place = whole[STORED_BITS-1:0];
    end
  endfunction

  task violate(input [3:0] code);
    begin
      violations = violations + 1;
      last_violation = code;
    end
  endtask

  task store(input [BANK_BITS-1:0] b, input [COLUMN_BITS-1:0] c);
    begin
      if (!dq_in_drive) violate(NOT_DRIVEN);
      if (!mask[0]) words[place(b, c)][7:0] = dq_in[7:0];
      if (!mask[1]) words[place(b, c)][15:8] = dq_in[15:8];
      wrote[b] = now;
    end
  endtask

  initial begin
    violations = 0;
    last_violation = 0;
    is_open = 0;
    now = 0;
    closed = 0;
    refreshed = 0;
    refreshes = 0;
    mode_set = 0;
    burst = 1;
    left = 0;
    writing = 0;
    pipe_valid = 0;
    shown = 0;
    burst_bank = 0;
    column = 0;
    for (n = 0; n < BANKS; n = n + 1) begin
      opened[n] = 0;
      wrote[n] = 0;
      row[n] = 0;
    end
    for (n = 0; n < 8; n = n + 1) pipe[n] = 0;
  end

  always @(posedge clk) begin
    now = now + 1;
    if (restart) begin
      now = 0;
      refreshes = 0;
      mode_set = 0;
      closed = 0;
      refreshed = 0;
      for (n = 0; n < BANKS; n = n + 1) wrote[n] = 0;
    end
    for (n = 7; n > 0; n = n - 1) pipe[n] = pipe[n-1];
    pipe_valid = pipe_valid << 1;
    if (command != NOTHING && now < START && !restart) violate(TOO_EARLY);
    if (command != NOTHING && now < refreshed + REFRESH && refreshes != 0) violate(TOO_EARLY);
    case (command)
      MODE: begin
        if (is_open != 0) violate(STILL_OPEN);
        if (address[6:4] != CAS_LATENCY || address[3] || address[2:0] > 3) violate(WRONG_MODE);
        mode_set = 1;
        burst = 4'd1 << address[2:0];
      end
      REFRESH_ALL: begin
        if (is_open != 0) violate(STILL_OPEN);
        if (now < closed + PRECHARGE) violate(TOO_EARLY);
        refreshed = now;
        refreshes = refreshes + 1;
      end
      CLOSE: begin
        for (n = 0; n < BANKS; n = n + 1)
          if (is_open[n] && (address[10] || bank == n)) begin
            if (mode_set && (now < opened[n] + ROW || now < wrote[n] + WRITE)) violate(TOO_EARLY);
            if (left != 0 && burst_bank == n) violate(CLASH);
            is_open[n] = 0;
          end
        closed = now;
      end
      OPEN: begin
        if (is_open[bank]) violate(STILL_OPEN);
        if (now < closed + PRECHARGE) violate(TOO_EARLY);
        is_open[bank] = 1;
        row[bank] = address;
        opened[bank] = now;
      end
      READ_WORDS, WRITE_WORDS: begin
        if (!is_open[bank]) violate(NOT_OPEN);
        if (!mode_set) violate(NO_MODE);
        if (now < opened[bank] + ACTIVATE) violate(TOO_EARLY);
        if (left != 0) violate(CLASH);
        burst_bank = bank;
        column = address[COLUMN_BITS-1:0];
        left = burst;
        writing = command == WRITE_WORDS;
      end
      NOTHING: begin
      end
      default: violate(UNKNOWN);
    endcase
    if (left != 0) begin
      if (writing) store(burst_bank, column);
      else begin
        pipe[0] = words[place(burst_bank, column)];
        pipe_valid[0] = 1;
      end
      // It wraps within the burst.
      column = (column & ~(burst - 1)) | ((column + 1'b1) & (burst - 1));
      left = left - 1;
    end
    // Words of an earlier read still come while a write drives.
    if (dq_in_drive && pipe_valid[CAS_LATENCY-1]) violate(CLASH);
    if (refreshes > 8 && now > START + (refreshes + 8) * INTERVAL) begin
      violate(LATE_REFRESH);
      refreshes = refreshes + 8;
    end
  end

  always @(posedge dq_clk) shown <= pipe[STAGE];
  assign dq_out = dq_clk ? shown : ~shown;
endmodule
