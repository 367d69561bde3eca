// Gowin's multipliers as UG287 describes them: ours, not the vendor's models. Only what we use: no
// pipeline register, no cascades, signed operands.
module MULT9X9 (A, SIA, B, SIB, ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET, DOUT);
  parameter AREG = 1'b0;
  parameter BREG = 1'b0;
  parameter OUT_REG = 1'b0;
  parameter PIPE_REG = 1'b0;
  input [8:0] A, SIA, B, SIB;
  input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET;
  output [17:0] DOUT;

  reg [8:0] a_kept, b_kept;
  wire signed [9:0] a = AREG ? {ASIGN & a_kept[8], a_kept} : {ASIGN & A[8], A};
  wire signed [9:0] b = BREG ? {BSIGN & b_kept[8], b_kept} : {BSIGN & B[8], B};
  wire signed [19:0] product = a * b;
  reg [17:0] kept;

  always @(posedge CLK)
    if (RESET) {a_kept, b_kept, kept} <= 0;
    else if (CE) {a_kept, b_kept, kept} <= {A, B, product[17:0]};
  assign DOUT = OUT_REG ? kept : product[17:0];
endmodule

module MULT18X18 (A, SIA, B, SIB, ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET, DOUT);
  parameter AREG = 1'b0;
  parameter BREG = 1'b0;
  parameter OUT_REG = 1'b0;
  parameter PIPE_REG = 1'b0;
  input [17:0] A, SIA, B, SIB;
  input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET;
  output [35:0] DOUT;

  reg [17:0] a_kept, b_kept;
  wire signed [18:0] a = AREG ? {ASIGN & a_kept[17], a_kept} : {ASIGN & A[17], A};
  wire signed [18:0] b = BREG ? {BSIGN & b_kept[17], b_kept} : {BSIGN & B[17], B};
  wire signed [37:0] product = a * b;
  reg [35:0] kept;

  always @(posedge CLK)
    if (RESET) {a_kept, b_kept, kept} <= 0;
    else if (CE) {a_kept, b_kept, kept} <= {A, B, product[35:0]};
  assign DOUT = OUT_REG ? kept : product[35:0];
endmodule
